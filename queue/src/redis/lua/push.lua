-- Adds ids to the ends of their lines, unless they are held already, and rings for what is new.
-- KEYS 1-3 lines by class, 4 held, 5 bell of interactive ids, 6 bell of the others
-- ARGV pairs of class (1-3) and id
-- returns how many were new, by class
local ids = {}
for i = 2, #ARGV, 2 do ids[#ids + 1] = ARGV[i] end
local held = redis.call('HMGET', KEYS[4], unpack(ids))

-- Entries may have been removed by hand, and then the record tells nothing.
local function is_there(record)
  local class, entry = tonumber(string.sub(record, 1, 1)), string.sub(record, 3)
  return #redis.call('XRANGE', KEYS[class], entry, entry) > 0
end

local added, records, seen = {0, 0, 0}, {}, {}
for i, id in ipairs(ids) do
  if not seen[id] and not (held[i] and is_there(held[i])) then
    local class = tonumber(ARGV[2 * i - 1])
    local entry = redis.call('XADD', KEYS[class], '*', 'id', id)
    records[#records + 1] = id
    records[#records + 1] = class .. ':' .. entry
    added[class] = added[class] + 1
    seen[id] = true
  end
end
if #records > 0 then redis.call('HSET', KEYS[4], unpack(records)) end
if added[1] > 0 then redis.call('ZADD', KEYS[5], 0, 'rung') end
if added[2] + added[3] > 0 then redis.call('ZADD', KEYS[6], 0, 'rung') end
return added
