-- Takes revision 0002 back.

DROP TABLE attempts;
ALTER TABLE exceptions DROP COLUMN since;
