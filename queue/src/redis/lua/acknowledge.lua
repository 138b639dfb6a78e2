-- Forgets delivered entries, and their ids unless these were added anew meanwhile.
-- KEYS 1-3 lines by class, 4 held, 5-6 bells (unused)
-- ARGV group, then for each class: how many, their entries, their ids
local group, at = ARGV[1], 2
for class = 1, 3 do
  local count = tonumber(ARGV[at])
  if count > 0 then
    redis.call('XACK', KEYS[class], group, unpack(ARGV, at + 1, at + count))
    redis.call('XDEL', KEYS[class], unpack(ARGV, at + 1, at + count))
    local held = redis.call('HMGET', KEYS[4], unpack(ARGV, at + count + 1, at + 2 * count))
    local gone = {}
    for i = 1, count do
      if held[i] == class .. ':' .. ARGV[at + i] then gone[#gone + 1] = ARGV[at + count + i] end
    end
    if #gone > 0 then redis.call('HDEL', KEYS[4], unpack(gone)) end
  end
  at = at + 1 + 2 * count
end
