DROP INDEX notices_open;
DROP INDEX devices_by_hand;
