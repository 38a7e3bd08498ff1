-- Names as they are searched for: in small letters as the program makes them, since lower() knows only ASCII on SQLite, and
-- on PostgreSQL in a database of locale C.
-- Twin of ../postgres/0032_search_names.sql.
alter table customers add column search text not null default '';
alter table structure_nodes add column search text not null default '';

update customers set search = lower(name);

-- Where a name has more than ASCII: the capitals of Latin, Greek and Cyrillic, replaced one after another.
with recursive
    code (big) as (select 192 union all select big + 1 from code where big < 1071),
    letter (big, small) as (
        select big, case
            when big between 192 and 222 and big <> 215 then big + 32
            when big between 256 and 311 and big <> 304 and big % 2 = 0 then big + 1
            when big between 313 and 328 and big % 2 = 1 then big + 1
            when big between 330 and 375 and big % 2 = 0 then big + 1
            when big = 376 then 255
            when big between 377 and 382 and big % 2 = 1 then big + 1
            when big between 913 and 939 and big <> 930 then big + 32
            when big between 1024 and 1039 then big + 80
            when big between 1040 and 1071 then big + 32
        end
        from code
    ),
    pair (number, big, small) as materialized (
        select row_number() over (order by big), char(big), char(small) from letter where small is not null
    ),
    folded (msp_id, id, number, name) as (
        select msp_id, id, 0, search from customers where length(cast(search as blob)) <> length(search)
        union all
        select f.msp_id, f.id, p.number, replace(f.name, p.big, p.small)
        from folded f join pair p on p.number = f.number + 1
    )
update customers
set search = f.name
from folded f
where f.msp_id = customers.msp_id and f.id = customers.id and f.number = (select max(number) from pair);

-- Each next reading writes these anew.
update structure_nodes set search = lower(name);
