"""Who may do what: one table (DESIGN 7). What is not in it, nobody may.

The third part of a decision, the relation to the object (one's own school, child, class), is asked where the object is
loaded; whatever is another's answers as if it did not exist.
"""

from dataclasses import dataclass
from enum import StrEnum

from starlette.requests import Request

from shared.web.errors import Problem
from shared.web.i18n import N_
from shared.web.sessions import Principal, Role, require
from shared.web.state import web_state


class Action(StrEnum):
    # at the desk: notifications
    see_deliveries = "see_deliveries"
    print_slips = "print_slips"
    resend = "resend"
    hand_over = "hand_over"
    hand_over_in_class = "hand_over_in_class"
    run_campaigns = "run_campaigns"
    publish_circulars = "publish_circulars"
    adapt_texts = "adapt_texts"
    settle_alerts = "settle_alerts"
    read_circulars = "read_circulars"
    # at the desk: identity
    issue = "issue"
    request_regeneration = "request_regeneration"
    decide_regeneration = "decide_regeneration"
    separate = "separate"
    suspend = "suspend"
    revoke = "revoke"
    unlock = "unlock"
    manage_staff = "manage_staff"
    end_sessions = "end_sessions"
    # at the desk: registry
    see_people = "see_people"
    import_files = "import_files"
    change_policy = "change_policy"
    see_policy = "see_policy"
    correct_address = "correct_address"
    activate_mailboxes = "activate_mailboxes"
    restrict_guardianship = "restrict_guardianship"
    merge_guardians = "merge_guardians"
    settle_wrong_child = "settle_wrong_child"
    activate_justification = "activate_justification"
    appoint_staff = "appoint_staff"
    # one's own
    own_account = "own_account"
    own_passkeys = "own_passkeys"
    see_own_children = "see_own_children"
    report_wrong_child = "report_wrong_child"
    ask_justification = "ask_justification"
    consent_to_parents = "consent_to_parents"


@dataclass(frozen=True, slots=True)
class Rule:
    """`strong`: only with a passkey, unless the school's policy still allows the password alone."""

    roles: frozenset[Role]
    strong: bool = False


_ANYONE: frozenset[Role] = frozenset(
    {"guardian", "pupil", "teacher", "secretary", "principal", "administrator", "auditor"}
)
_STAFF: frozenset[Role] = frozenset({"teacher", "secretary", "principal", "administrator", "auditor"})
_DESK: frozenset[Role] = frozenset({"secretary", "principal", "administrator"})
_OFFICE: frozenset[Role] = frozenset({"secretary", "principal"})

TABLE: dict[Action, Rule] = {
    Action.see_deliveries: Rule(_DESK),
    Action.print_slips: Rule(_DESK),
    Action.resend: Rule(_DESK),
    Action.hand_over: Rule(_DESK),
    Action.hand_over_in_class: Rule(_DESK | {"teacher"}),
    Action.run_campaigns: Rule(_OFFICE),
    Action.publish_circulars: Rule(_OFFICE),
    Action.adapt_texts: Rule(_OFFICE),
    Action.settle_alerts: Rule(_DESK),
    Action.read_circulars: Rule(_ANYONE),
    Action.issue: Rule(_DESK),
    Action.request_regeneration: Rule(_DESK),
    Action.decide_regeneration: Rule(_OFFICE, strong=True),
    Action.separate: Rule(_OFFICE, strong=True),
    Action.suspend: Rule(_OFFICE),
    Action.revoke: Rule(_OFFICE, strong=True),
    Action.unlock: Rule(_DESK),
    Action.manage_staff: Rule(frozenset({"administrator"}), strong=True),
    Action.end_sessions: Rule(_DESK),
    Action.see_people: Rule(_DESK),
    Action.import_files: Rule(_OFFICE, strong=True),
    Action.change_policy: Rule(frozenset({"principal", "administrator"}), strong=True),
    Action.see_policy: Rule(_DESK),
    Action.correct_address: Rule(_OFFICE, strong=True),
    Action.activate_mailboxes: Rule(_DESK),
    Action.restrict_guardianship: Rule(_OFFICE, strong=True),
    Action.merge_guardians: Rule(_OFFICE, strong=True),
    Action.settle_wrong_child: Rule(_OFFICE),
    Action.activate_justification: Rule(_OFFICE),
    # Whoever is said to have left loses their account, an administrator too.
    Action.appoint_staff: Rule(_OFFICE, strong=True),
    Action.own_account: Rule(_ANYONE),
    Action.own_passkeys: Rule(_STAFF),
    Action.see_own_children: Rule(frozenset({"guardian"})),
    Action.report_wrong_child: Rule(frozenset({"guardian"})),
    Action.ask_justification: Rule(frozenset({"guardian"})),
    Action.consent_to_parents: Rule(frozenset({"pupil"})),
}


def may(principal: Principal, action: Action) -> bool:
    """Whether the table lets them, the proof of who they are aside: what a page shows or leaves out."""
    return bool(TABLE[action].roles & principal.roles)


class Allowed:
    """A FastAPI dependency: the signed-in principal, if the table lets them do this; 401 and 403 as problems.

    `while_changing`: open also to whoever still has to change the password that they were given.
    """

    def __init__(self, action: Action, *, while_changing: bool = False) -> None:
        self.action = action
        self.while_changing = while_changing
        self._rule = TABLE[action]
        self._signed_in = require(*self._rule.roles, allow_must_change=while_changing)

    async def __call__(self, request: Request) -> Principal:
        principal = await self._signed_in(request)
        if self._rule.strong and not principal.strong:
            raise Problem(
                403,
                "passkey-required",
                N_("Per questo occorre la passkey"),
                N_(
                    "Chi rigenera, importa o cambia le regole entra con una passkey: la registri, poi acceda con quella."
                ),
                page=f"{web_state(request).settings.passkeys_path}?richiesta=si",
            )
        return principal


def allowed(action: Action, *, while_changing: bool = False) -> Allowed:
    """In a route's signature: `who: Annotated[Principal, Depends(allowed(Action.print_slips))]`."""
    return Allowed(action, while_changing=while_changing)
