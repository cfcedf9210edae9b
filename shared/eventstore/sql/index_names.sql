-- The indexes of a table, in an order that is the same for a table made like it.
select c.relname as name from pg_index i join pg_class c on c.oid = i.indexrelid
where i.indrelid = $1::regclass
order by i.indkey::text, i.indisunique, pg_get_expr(i.indpred, i.indrelid), pg_get_expr(i.indexprs, i.indrelid)
