-- Names as they are searched for: in small letters as the program makes them, since lower() knows only ASCII on SQLite, and
-- on PostgreSQL in a database of locale C.
-- Twin of ../sqlite/0032_search_names.sql.
alter table customers add column search text not null default '';
alter table structure_nodes add column search text not null default '';

-- The walls have no tenant to show here.
alter table customers no force row level security;
-- The capitals of Latin, Greek and Cyrillic as well.
update customers set search = translate(translate(translate(translate(lower(name),
    'ÀÁÂÃÄÅÆÇÈÉÊËÌÍÎÏÐÑÒÓÔÕÖØÙÚÛÜÝÞ',
    'àáâãäåæçèéêëìíîïðñòóôõöøùúûüýþ'),
    'ĀĂĄĆĈĊČĎĐĒĔĖĘĚĜĞĠĢĤĦĨĪĬĮĲĴĶĹĻĽĿŁŃŅŇŊŌŎŐŒŔŖŘŚŜŞŠŢŤŦŨŪŬŮŰŲŴŶŸŹŻŽ',
    'āăąćĉċčďđēĕėęěĝğġģĥħĩīĭįĳĵķĺļľŀłńņňŋōŏőœŕŗřśŝşšţťŧũūŭůűųŵŷÿźżž'),
    'ΑΒΓΔΕΖΗΘΙΚΛΜΝΞΟΠΡΣΤΥΦΧΨΩΪΫ',
    'αβγδεζηθικλμνξοπρστυφχψωϊϋ'),
    'ЀЁЂЃЄЅІЇЈЉЊЋЌЍЎЏАБВГДЕЖЗИЙКЛМНОПРСТУФХЦЧШЩЪЫЬЭЮЯ',
    'ѐёђѓєѕіїјљњћќѝўџабвгдежзийклмнопрстуфхцчшщъыьэюя');
alter table customers force row level security;

-- Each next reading writes these anew.
alter table structure_nodes no force row level security;
update structure_nodes set search = lower(name);
alter table structure_nodes force row level security;
