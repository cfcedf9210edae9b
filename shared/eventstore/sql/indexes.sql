-- The indexes of a table, under the same names, for a table of the same name in another schema.
select coalesce(k.contype = 'p', false) as is_key,
       case when k.oid is null
            then regexp_replace(pg_get_indexdef(i.indexrelid), ' ON (\w+)\.', format(' ON %I.', $2::text))
            else format('alter table %I.%I add constraint %I %s', $2::text, t.relname, k.conname, pg_get_constraintdef(k.oid))
       end as definition
from pg_index i
join pg_class t on t.oid = i.indrelid
join pg_class c on c.oid = i.indexrelid
left join pg_constraint k on k.conindid = i.indexrelid and k.conrelid = i.indrelid and k.contype in ('p', 'u', 'x')
where i.indrelid = $1::text::regclass
order by c.relname
