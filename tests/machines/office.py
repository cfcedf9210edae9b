"""What the registry must answer to a command: from sets and dictionaries, by the rules of IMPORTS.md, M1, M5, M6."""

from dataclasses import dataclass, field

YEARS = ("2026/2027", "2027/2028")
Answer = list[str] | str
"""The events' names, or the slug of a refusal."""


@dataclass
class Person:
    """`owner`: the system that described them, and so may correct. `known_as`: which systems know them."""

    name: str
    owner: str
    known_as: set[str]


@dataclass
class Office:
    registered: bool = False
    policy: object = None
    years: set[str] = field(default_factory=set)
    classes: dict[str, set[str]] = field(default_factory=dict)
    pupils: dict[str, Person] = field(default_factory=dict)
    places: dict[str, dict[str, tuple[str, bool]]] = field(default_factory=dict)
    guardians: dict[str, Person] = field(default_factory=dict)
    access: dict[tuple[str, str], bool] = field(default_factory=dict)

    def register(self) -> Answer:
        was, self.registered = self.registered, True
        return [] if was else ["SchoolRegistered"]

    def adopt(self, policy: object) -> Answer:
        if not self.registered:
            return "school_unknown"
        was, self.policy = self.policy, policy
        return [] if was == policy else ["CredentialPolicyAdopted"]

    def open_year(self, year: str) -> Answer:
        if not self.registered:
            return "school_unknown"
        if year in self.years:
            return []
        self.years.add(year)
        return ["SchoolYearOpened"]

    def form(self, class_id: str, source: str) -> Answer:
        if class_id in self.classes:
            return []
        self.classes[class_id] = {source}
        return ["ClassFormed"]

    def identify(self, class_id: str, source: str) -> Answer:
        if class_id not in self.classes:
            return "class_unknown"
        if source in self.classes[class_id]:
            return []
        self.classes[class_id].add(source)
        return ["ClassIdentified"]

    def enrol(self, student: str, year: str, class_id: str, name: str, source: str) -> Answer:
        places = self.places.setdefault(student, {})
        known = self.pupils.get(student)
        if known is None:
            self.pupils[student] = Person(name, source, {source})
            places[year] = class_id, True
            return ["StudentEnrolled"]
        if max(places) > year:
            return [] if year in places else "year_is_past"
        if year not in places or not places[year][1]:
            places[year] = class_id, True
            known.name, known.owner = name, source
            known.known_as.add(source)
            return ["StudentEnrolled"]
        events = []
        if source not in known.known_as:
            known.known_as.add(source)
            events.append("PersonIdentified")
        events += self._correct(known, name, source, "StudentDetailsCorrected")
        if places[year][0] != class_id:
            places[year] = class_id, True
            events.append("StudentMovedClass")
        return events

    def _correct(self, known: Person, name: str, source: str, event: str) -> list[str]:
        if known.owner != source or known.name == name:
            return []
        known.name = name
        return [event]

    def correct(self, student: str, name: str, source: str) -> Answer:
        known = self.pupils.get(student)
        if known is None:
            return "pupil_unknown"
        return self._correct(known, name, source, "StudentDetailsCorrected")

    def move(self, student: str, year: str, class_id: str) -> Answer:
        place = self.places.get(student, {}).get(year)
        if place is None or not place[1]:
            return "not_enrolled"
        self.places[student][year] = class_id, True
        return [] if place[0] == class_id else ["StudentMovedClass"]

    def withdraw(self, student: str, year: str) -> Answer:
        place = self.places.get(student, {}).get(year)
        if place is None:
            return "not_enrolled"
        self.places[student][year] = place[0], False
        return ["StudentWithdrawn"] if place[1] else []

    def link(self, guardian: str, student: str, name: str, source: str, data_access: bool | None) -> Answer:
        events = []
        known = self.guardians.get(guardian)
        if known is None:
            self.guardians[guardian] = Person(name, source, {source})
        else:
            if source not in known.known_as:
                known.known_as.add(source)
                events.append("PersonIdentified")
            events += self._correct(known, name, source, "GuardianDetailsCorrected")
        before = self.access.get((guardian, student))
        if before is None:
            self.access[guardian, student] = data_access is not False
            return [*events, "GuardianLinked"]
        if data_access is not None and data_access is not before:
            self.access[guardian, student] = data_access
            return [*events, "GuardianshipCorrected"]
        return events
