-- The initial secret dies with its sealed copy; only who had begun to use it, and was merely advised to change
-- it, may still come in to do so (DESIGN 5). A temporary one must be changed, and dies.
delete from private.verifiers
where kind <> 'chosen' and expires <= $1 and (not accessed or must_change)
