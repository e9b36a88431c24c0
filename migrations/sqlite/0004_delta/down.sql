DROP TABLE delta_uses;
DROP TABLE delta_pairs;
ALTER TABLE heads DROP COLUMN deltas_version;
DROP TABLE delegated_documents;
