"""A mother reads her mail, signs in, and chooses a password of her own."""

import re

from deploy.demo.backstage import passphrase
from deploy.demo.memory import Key
from deploy.demo.stage import Stage, found_in
from deploy.demo.visitor import Visitor

_CODE = re.compile(r"^\s*(?:Codice utente|User code)[^:]*:\s*(\S+)\s*$", re.MULTILINE)
_PASSWORD = re.compile(r"^\s*Password[^:]*:\s*(\S+)\s*$", re.MULTILINE)
MOTHER = "a mother"


def key_in(text: str) -> Key:
    """The user code and the initial password that a message says."""
    return Key(found_in(_CODE, text), found_in(_PASSWORD, text))


async def first_access(stage: Stage) -> None:
    stage.tell.chapter("A mother reads her mail and signs in")
    address = stage.email.stories["heroine_email"]
    received = key_in(await stage.letter(address))
    stage.tell.done(f"the message to {address} names the school's address and a user code")
    async with Visitor(stage.site) as mother:
        await mother.open(f"/s/{stage.email.customer_id}")
        await mother.submit("/accesso/", {"codice": received.user_code, "password": received.password})
        if mother.path != "/accesso/cambio-password":
            raise stage.failed(f"the first access did not ask for a new password, but led to {mother.path}")
        await mother.open("/registro/")
        if mother.path != "/accesso/cambio-password":
            raise stage.failed("with the initial password more was reached than changing it")
        stage.tell.done("the first access is led to the change of password, and nowhere else")
        chosen = await choose_password(mother, received)
        stage.memory.account = (await mother.json("/api/identity/me")).json()["account"]
    async with Visitor(stage.site) as mother:
        await stage.sign_in(mother, chosen)
        await mother.open("/registro/")
        if mother.path != "/registro/" or mother.status != 200:
            raise stage.failed(f"signed in, but the home page answered {mother.status} at {mother.path}")
    stage.tell.done("she signs in again with the password that she chose")
    await stage.must_refuse(received, "the old password was accepted")
    stage.tell.done("the old password is refused")
    stage.memory.keys[MOTHER] = chosen


async def choose_password(visitor: Visitor, received: Key) -> Key:
    """On the page that the first access leads to."""
    chosen = passphrase()
    await visitor.open("/accesso/cambio-password")
    form = {"attuale": received.password, "nuova": chosen, "ripeti": chosen}
    await visitor.submit("/accesso/cambio-password", form)
    return Key(received.user_code, chosen)
