"""A mail comes back; the desk corrects the address, and the same secret goes again."""

from deploy.demo.backstage import registry_of
from deploy.demo.stage import Stage

_YEAR = "2026/2027"
WRONG = "paolo.refuso+bounce@posta.example"
RIGHT = "paolo.refusi@posta.example"


async def bounce(stage: Stage) -> None:
    stage.tell.chapter("An address that does not exist, and its correction")
    school = stage.email
    async with registry_of(stage.wiring) as registry:
        key = await registry.add_api_key(school.codice, "demo")
    enrolment = {
        "school": school.codice,
        "source": "segreteria",
        "school_year": _YEAR,
        "kind": "new_to_the_school",
        "class": {"id": "1A", "grade": 1, "section": "A"},
        "pupil": {"id": "AL90001", "family_name": "Refusi", "given_name": "Giada"},
        "guardians": [
            {
                "id": "GE90001",
                "family_name": "Refusi",
                "given_name": "Paolo",
                "relationship": "father",
                "email": WRONG,
            }
        ],
    }
    answer = await stage.http.post(
        f"{stage.site}/api/registry/enrolments",
        json=enrolment,
        headers={"Authorization": f"Bearer {key.secret}"},
    )
    if not answer.is_success:
        raise stage.failed(f"the enrolment was refused: {answer.text}")
    guardian = answer.json()["guardians"][0]
    stage.tell.done("a pupil joins mid-year, over HTTP; the father's address has a slip of the pen")
    await stage.happened(school, "EmailBounced", 1)
    async with stage.desk(school) as desk:
        stage.tell.done(
            "his message comes back: the desk sees it, with the one next action (correct the address)"
        )
        correction = {"email": RIGHT, "identity_check": "identity_document", "reason": "refuso sul modulo"}
        await desk.say(f"/api/registry/guardians/{guardian}/address", correction)
    await stage.letter(RIGHT)
    stage.tell.done(
        "corrected, with a reason and an identity check: the same secret went to the right address at once"
    )
    stage.tell.fact("No slip was possible: this school's policy is e-mail only, for the desk too.")
