-- Who waits for credentials, and since the year that they wait for no enrolment of theirs (or of a child of theirs)
-- stands any more.
delete from private.issuance_queue q
where (q.role = 'pupil' and exists (
          select from projections.enrolments_v1 e
          where e.student = q.holder and e.year = q.year and e.ended
      ) and not exists (
          select from projections.enrolments_v1 e
          where e.student = q.holder and e.year >= q.year and not e.ended
      ))
   or (q.role = 'guardian' and q.year is not null and not exists (
          select from projections.guardianships_v1 g
          join projections.enrolments_v1 e on e.student = g.student and e.year >= q.year and not e.ended
          where g.guardian = q.holder
      ))
