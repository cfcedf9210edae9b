-- Who has a name with all of these beginnings ($1: a tsquery, the school among them), or a user code with this one ($2).
-- $3: only pupils of this class and their guardians.
with coded as (
    select a.holder from projections.accounts_v1 a
    where a.school = $5 and $2 <> '' and lower(a.user_code) like $2 || '%'
    limit $4
), found as (
    select p.student as holder, 'pupil' as role, p.family_name, p.given_name
    from projections.pupils_v1 p
    where projections.name_words(p.school, p.family_name, p.given_name) @@ $1::text::tsquery
    union all
    select g.guardian, 'guardian', g.family_name, g.given_name
    from projections.guardians_v1 g
    where projections.name_words(g.school, g.family_name, g.given_name) @@ $1::text::tsquery
    union all
    select p.student, 'pupil', p.family_name, p.given_name
    from coded join projections.pupils_v1 p on p.student = coded.holder
    union all
    select g.guardian, 'guardian', g.family_name, g.given_name
    from coded join projections.guardians_v1 g on g.guardian = coded.holder
)
select distinct holder, role, family_name, given_name
from found
where $3::text is null or exists (
    select from projections.places_v1 place
    where place.class_id = $3 and (place.student = found.holder or place.student in (
        select l.student from projections.guardianships_v1 l where l.guardian = found.holder
    ))
)
order by family_name, given_name, holder
limit $4
