"""A family that shared one credential separates it: the pupil asks at the desk and gets a slip on the spot."""

from deploy.demo.stage import Stage


async def separate(stage: Stage) -> None:
    stage.tell.chapter("Shared and separated: a pupil asks at the desk")
    school, class_id = stage.paper, stage.memory.notes["class"]
    async with stage.desk(school) as desk:
        holders = await desk.ask(f"/api/notifications/classes/{class_id}/holders")
        pupil = next(h for h in holders if h["role"] == "pupil" and h["state"] == "handed_over")
        account = pupil["account"]
        before = (await stage.history_of(school))["DeliveryRequested"]
        body = {"identity_check": "known_in_person"}
        await desk.say(f"/api/identity/accounts/{account}/separation", body)
        await stage.happened(school, "DeliveryRequested", before + 1)
        form = {"holders": pupil["holder"], "scelta": "selezione", "consegna": "sportello"}
        answer = await desk.visitor.post(f"/consegne/classi/{class_id}/tagliandi", form)
    if answer.headers.get("content-type") != "application/pdf":
        raise stage.failed(f"the new slip was not printed: {answer.status_code}")
    stage.tell.done("one action: a credential of the pupil's own, its slip printed there and then")
    stage.tell.fact(
        "What the pupil had before is dead; the parent's is untouched. Justifying stays with the parent."
    )
