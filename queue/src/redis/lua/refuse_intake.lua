-- Moves an entry of the intake stream to the dead letters. Once: a repeated call finds it gone.
-- KEYS 1 intake stream, 2 dead letters
-- ARGV group, entry, payload, error, how many dead letters are kept, about
if redis.call('XACK', KEYS[1], ARGV[1], ARGV[2]) == 1 then
  redis.call('XDEL', KEYS[1], ARGV[2])
  redis.call('XADD', KEYS[2], 'MAXLEN', '~', ARGV[5], '*',
    'payload', ARGV[3], 'error', ARGV[4], 'original_id', ARGV[2])
end
