-- Takes over what was delivered and left alone for too long. Nothing after a restart or a failover of the server: the
-- time it was away counts as idle, and the caller waits once more.
-- KEYS 1-3 lines by class, 4-6 unused
-- ARGV group, consumer, idle time in ms, run_id of the server when the caller last asked
-- returns {run_id, entries by class}
local run = string.match(redis.call('INFO', 'server'), 'run_id:(%w+)')
local entries = {{}, {}, {}}
if run == ARGV[4] then
  for class = 1, 3 do
    local cursor = '0-0'
    repeat
      local reply = redis.pcall('XAUTOCLAIM', KEYS[class], ARGV[1], ARGV[2], ARGV[3], cursor, 'COUNT', 100)
      -- Without a group nothing is delivered.
      if reply.err then break end
      cursor = reply[1]
      for _, entry in ipairs(reply[2]) do table.insert(entries[class], entry) end
    until cursor == '0-0' or #entries[class] >= 1000
  end
end
return {run, entries}
