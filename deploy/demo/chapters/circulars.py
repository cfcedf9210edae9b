"""The announcement: a numbered circular to families and staff, on paper's letterhead and on the public page."""

from datetime import date

from deploy.demo.stage import Stage

SUBJECT = "Credenziali del registro elettronico"


async def publish(stage: Stage) -> None:
    stage.tell.chapter("The circular itself")
    school = stage.email
    async with stage.desk(school) as desk:
        circular = await desk.say(
            "/api/notifications/circulars",
            {
                "number": "12",
                "day": date.today().isoformat(),
                "subject": SUBJECT,
                "text": "Le credenziali del registro elettronico sono inviate per posta elettronica, "
                "all'indirizzo indicato all'iscrizione.\n\nAl primo accesso la password va cambiata.",
                "signed_by": "La dirigente scolastica Livia Presidi",
                "audiences": ["guardians", "teachers", "ata", "public"],
            },
        )
    stage.tell.done(f"circular 12 went to {circular['notices']} addresses, one recipient a message")
    await stage.letter(school.stories["heroine_email"], saying=SUBJECT)
    page = f"{stage.site}/circolari/{school.customer_id}/"
    answer = await stage.http.get(page)
    if answer.status_code != 200 or SUBJECT not in answer.text:
        raise stage.failed(f"the public page answered {answer.status_code}")
    stage.tell.done(f"published, with its PDF, where nobody has to sign in: {page}")
