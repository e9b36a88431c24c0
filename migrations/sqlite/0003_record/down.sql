DROP TABLE record_heads;
DROP TABLE record_entries;
