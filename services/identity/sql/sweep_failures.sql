-- Failures of an account are kept until history has been told of them; nobody is told of those of unknown codes.
delete from private.sign_in_failures
where (last_at < $1 and untold = 0)
   or (last_at < $2 and account is null)
