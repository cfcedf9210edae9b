-- What is left of the wait that count_attempt keeps ($4 = from which failure, $5 = seconds, doubled each time), of a
-- code that exists or not. An unknown device that has failed $6 times is not told how long.
select greatest(0, ceil(extract(epoch from
    last_at + make_interval(secs => least(3600, $5 * power(2, least(failures - $4, 20)))) - $3)))::int
from private.sign_in_failures
where subject = $1 and device = $2 and failures >= $4 and (device <> '' or failures < $6)
