-- Looks whether ids wait or are delivered, in the lines themselves; forgets ids whose entries were removed by hand.
-- KEYS 1-3 lines by class, 4 held, 5-6 unused
-- ARGV ids
-- returns 1 or 0 for each
local held, gone, answer = redis.call('HMGET', KEYS[4], unpack(ARGV)), {}, {}
for i, id in ipairs(ARGV) do
  answer[i] = 0
  if held[i] then
    local class, entry = tonumber(string.sub(held[i], 1, 1)), string.sub(held[i], 3)
    if #redis.call('XRANGE', KEYS[class], entry, entry) > 0 then answer[i] = 1 else gone[#gone + 1] = id end
  end
end
if #gone > 0 then redis.call('HDEL', KEYS[4], unpack(gone)) end
return answer
