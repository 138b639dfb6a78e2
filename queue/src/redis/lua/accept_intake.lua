-- Removes entries of the intake stream that the store has taken.
-- KEYS 1 intake stream, 2 dead letters (unused)
-- ARGV group, entries
redis.call('XACK', KEYS[1], unpack(ARGV))
redis.call('XDEL', KEYS[1], unpack(ARGV, 2))
