DROP TABLE updates_by_hand;
