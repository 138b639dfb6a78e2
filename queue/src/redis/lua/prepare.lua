-- Makes the groups where they are missing. A write, so that a replica refuses it.
-- KEYS 1-3 lines by class, 4-6 unused
-- ARGV group
for class = 1, 3 do
  local reply = redis.pcall('XGROUP', 'CREATE', KEYS[class], ARGV[1], '0', 'MKSTREAM')
  -- A server that is out of memory still delivers and acknowledges.
  if reply.err and not string.find(reply.err, 'BUSYGROUP', 1, true) and not string.find(reply.err, 'OOM', 1, true) then
    return error(reply)
  end
end
