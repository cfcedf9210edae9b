-- Counted before it is looked at, so that many at once get no more than $3 in all; no row: no PIN, or none that is
-- looked at any more.
update private.verifiers
set pin_failures = pin_failures + 1, pin_tried_at = $2
where account = $1 and pin is not null and pin_failures < $3
returning pin, pin_pepper, pin_failures
