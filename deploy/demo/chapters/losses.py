"""Lost credentials under the policy that regenerates only in exceptional cases: once denied, once granted."""

from deploy.demo.chapters.families import MOTHER, choose_password, key_in
from deploy.demo.stage import Stage
from deploy.demo.visitor import Visitor
from shared.contracts.identity import StaffRole


async def denied_and_granted(stage: Stage) -> None:
    stage.tell.chapter("Lost credentials: denied once, granted once")
    school, account = stage.email, stage.memory.account
    address, old = school.stories["heroine_email"], stage.memory.keys[MOTHER]
    life = f"/api/identity/accounts/{account}"
    asked = {"motivation": "password dimenticata", "identity_check": "identity_document"}
    async with stage.desk(school) as desk, stage.desk(school, StaffRole.principal) as principal:
        await desk.say(f"{life}/regeneration", asked, refused=409)
        stage.tell.done(
            "nothing is regenerated on the spot: here it takes a request, and a decision with a name to it"
        )
        request = (await desk.say(f"{life}/regenerations", asked))["request"]
        path = f"/api/identity/regenerations/{request}"
        await principal.say(f"{path}/deny", {"reason": "la password si può ancora cambiare da sé"})
        stage.tell.done("denied by the principal, with a reason: recorded, and nothing changed")
        async with Visitor(stage.site) as mother:
            await stage.sign_in(mother, old)
        asked["motivation"] = "furto del telefono, denuncia agli atti"
        request = (await desk.say(f"{life}/regenerations", asked))["request"]
        grant = {"reason": "caso eccezionale, denuncia protocollata", "identity_check": "identity_document"}
        await principal.say(f"/api/identity/regenerations/{request}/grant", grant)
    stage.tell.done("asked again with a theft reported to the police: granted")
    await stage.must_refuse(old, "the old password still opens")
    stage.tell.done("the old password, PIN and sessions died with the decision")
    received = key_in(await stage.letter(address, 2))
    async with Visitor(stage.site) as mother:
        await stage.sign_in(mother, received)
        stage.memory.keys[MOTHER] = await choose_password(mother, received)
    stage.tell.done("the new ones came by e-mail, with the same user code; she is in again")
