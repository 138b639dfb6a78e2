-- Delivers ids by a plan, fills what the plan missed from whatever waits, and rings for what is left.
-- KEYS 1-3 lines by class, 4 held, 5 bell of interactive ids, 6 bell of the others
-- ARGV group, consumer, how many for takers of interactive ids only, how many for takers of all classes,
--      and of these as planned: interactive, normal, batch
-- returns {entries by class, what waits after that by class, how many groups had to be made}
local group, consumer = ARGV[1], ARGV[2]
local reserved, wanted = tonumber(ARGV[3]), tonumber(ARGV[4])
local entries, dry, made = {{}, {}, {}}, {}, 0

local function read_group(class, count)
  return redis.pcall('XREADGROUP', 'GROUP', group, consumer, 'COUNT', count, 'STREAMS', KEYS[class], '>')
end

-- Reads up to `count`; returns how many it got.
local function read(class, count)
  if count <= 0 or dry[class] then return 0 end
  local reply = read_group(class, count)
  if reply and reply.err and string.find(reply.err, 'NOGROUP', 1, true) then
    -- The data was wiped. From the start of the line: what stands in it was never acknowledged.
    redis.call('XGROUP', 'CREATE', KEYS[class], group, '0', 'MKSTREAM')
    made = made + 1
    reply = read_group(class, count)
  end
  if reply and reply.err then return error(reply) end
  local got = reply and reply[1][2] or {}
  for _, entry in ipairs(got) do table.insert(entries[class], entry) end
  dry[class] = #got < count
  return #got
end

local planned = tonumber(ARGV[5])
local left = wanted - math.max(0, read(1, reserved + planned) - reserved)
left = left - read(2, tonumber(ARGV[6]))
left = left - read(3, tonumber(ARGV[7]))
for class = 1, 3 do left = left - read(class, left) end

local function waiting(class)
  local groups = redis.pcall('XINFO', 'GROUPS', KEYS[class])
  local pending = 0
  for _, info in ipairs(groups) do
    if info[2] == group then pending = info[6] end
  end
  return math.max(0, redis.call('XLEN', KEYS[class]) - pending)
end

local after = {waiting(1), waiting(2), waiting(3)}
-- Protected: a server that is out of memory rings no bell and delivers all the same.
if after[1] > 0 then redis.pcall('ZADD', KEYS[5], 0, 'rung') end
if after[2] + after[3] > 0 then redis.pcall('ZADD', KEYS[6], 0, 'rung') end
return {entries, after, made}
