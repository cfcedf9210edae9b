"""Slips: printed by class, handed over in class, and what is left."""

from deploy.demo.stage import Stage


async def print_class(stage: Stage) -> None:
    stage.tell.chapter("Slips, from the desk's page")
    async with stage.desk(stage.paper) as desk:
        classes = await desk.ask("/api/notifications/classes")
        year = max(c["year"] for c in classes)
        first = next(c for c in classes if c["year"] == year and c["states"].get("to_print"))
        count = first["states"]["to_print"]
        page = f"/consegne/classi/{first['class_id']}"
        answer = await desk.visitor.post(f"{page}/tagliandi", {"scelta": "tutti", "consegna": "classe"})
    if answer.headers.get("content-type") != "application/pdf":
        raise stage.failed(f"the desk did not print: {answer.status_code}")
    path = stage.running.settings.data / "demo-tagliandi.pdf"
    path.write_bytes(answer.content)
    path.chmod(0o600)
    stage.memory.remember("class", first["class_id"])
    stage.tell.done(f"class {first['title']}: {count} slips, folded so that the secret is inside")
    stage.tell.fact(f"Saved as {path}. Only a demo may: slips are streamed and never stored.")


async def hand_over(stage: Stage) -> None:
    """By the class's own teacher, who ticks names on a phone; two pupils are absent."""
    stage.tell.chapter("Handed over in class, by its teacher")
    school, class_id = stage.paper, stage.memory.notes["class"]
    await stage.teaches(school, class_id)
    register = f"/api/notifications/classes/{class_id}/hand-overs"
    async with stage.teacher(school) as teacher:
        found = await teacher.ask(register)
        absent = {p for s in found["slips"][-4:] for p in s["pupils"]}
        present = [s["delivery"] for s in found["slips"] if not absent & set(s["pupils"])]
        await teacher.say(register, {"deliveries": present, "to": "pupil", "by": "tick"})
        found = await teacher.ask(register)
        done = [s["handed_over"] for s in found["slips"] if s["handed_over"]]
        stage.tell.done(
            f"{len(done)} slips recorded, each with who, when and in which class; left: {found['left']}"
        )
        first = next(s["delivery"] for s in found["slips"] if s["handed_over"])
        undo = f"/api/notifications/deliveries/{first}/hand-over/undo"
        await teacher.say(undo, {"reason": "segnato per sbaglio"})
        again = f"/api/notifications/deliveries/{first}/hand-over"
        await teacher.say(again, {"to": "pupil", "by": "scan"})
    stage.tell.done("one was ticked by mistake: undone with a reason, then recorded by scanning its code")
    stage.tell.fact("From here on no copy of those secrets exists anywhere but on the paper.")
