-- Moves delivered entries to the ends of their lines, under new entries: an acknowledgement of the old ones that comes
-- late then changes nothing.
-- KEYS 1-3 lines by class, 4 held, 5 bell of interactive ids, 6 bell of the others
-- ARGV group, then triples of class (1-3), entry, id
for i = 2, #ARGV, 3 do
  local class, entry, id = tonumber(ARGV[i]), ARGV[i + 1], ARGV[i + 2]
  if redis.call('XACK', KEYS[class], ARGV[1], entry) == 1 then
    redis.call('XDEL', KEYS[class], entry)
    redis.call('HSET', KEYS[4], id, class .. ':' .. redis.call('XADD', KEYS[class], '*', 'id', id))
    redis.call('ZADD', KEYS[class == 1 and 5 or 6], 0, 'rung')
  end
end
