DROP TABLE custodial_keys;
DROP TABLE drafts;
