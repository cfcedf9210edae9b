select count(*) from private.verifiers t
where not exists (select from events.entries e where e.stream = 'account/' || t.account)
