-- The circulars that concern somebody ($2) of a school ($1), with the audience as which they read and when they did.
-- $3: the staff's audiences that their role makes them part of; $4: only this circular (null: all).
select c.circular, c.school, c.year, c.number, c.day, c.subject, c.text, c.signed_by, c.audiences, c.classes, c.sizes,
       c.published_at, c.withdrawn_at, c.withdrawn_for, concerned.audience, r.read_at
from projections.circulars_v1 c
join lateral (
    select audience
    from (values ('guardians', 1), ('pupils', 2), ('teachers', 3), ('ata', 4)) as one (audience, rank)
    where c.audiences ? audience and case audience
        when 'guardians' then exists (
            select from projections.guardianships_v1 gs
            where gs.guardian = $2 and gs.school = $1
              and private.may_see(gs.guardian, gs.student, gs.data_access)
              and (c.classes = '[]' or exists (
                  select from projections.places_v1 place
                  where place.student = gs.student and c.classes ? place.class_id
              ))
        )
        when 'pupils' then exists (
            select from projections.pupils_v1 p
            where p.student = $2 and p.school = $1 and (c.classes = '[]' or exists (
                select from projections.places_v1 place
                where place.student = $2 and c.classes ? place.class_id
            ))
        )
        when 'teachers' then ('teachers' = any ($3::text[]) or exists (
            select from projections.staff_members_v1 t
            where t.person = $2 and t.school = $1 and t.left_at is null and t.kind in ('teacher', 'principal')
        )) and (c.classes = '[]' or 'ata' = any ($3) or exists (
            select from projections.teaching_v1 taught
            where taught.teacher = $2 and c.classes ? taught.class_id
        ))
        else 'ata' = any ($3) or exists (
            select from projections.staff_members_v1 t
            where t.person = $2 and t.school = $1 and t.left_at is null and t.kind <> 'teacher'
        )
    end
    order by rank
    limit 1
) concerned on true
left join projections.circular_reads_v1 r on r.circular = c.circular and r.holder = $2
where c.school = $1 and ($4::text is null or c.circular = $4)
order by c.day desc, c.published_at desc
