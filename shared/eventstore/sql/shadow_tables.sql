select table_name from information_schema.tables
where table_schema = 'projections' and table_type = 'BASE TABLE' order by table_name
