select count(*) from private.sealed_slips t
where not exists (select from events.entries e where e.stream = 'account/' || t.account)
