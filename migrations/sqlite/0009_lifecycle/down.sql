DROP INDEX acts_of_scope;
DROP TABLE field_hours;
DROP TABLE staged_files;
DROP TABLE lifecycles;
