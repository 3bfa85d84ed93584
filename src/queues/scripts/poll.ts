/**
 * Writes how far the poller is, with what it found on the way, unless another turn has written since this one read.
 *
 * KEYS: state, held. ARGV: rev, positionJson, sweepJson or '' (the sweep is complete), then per job group: when it
 * finished, id. Answers 1, or 0: another turn has taken over, and nothing was written.
 */
export const ADVANCE = `
if (redis.call('HGET', KEYS[1], 'rev') or '0') ~= ARGV[1] then return 0 end
redis.call('HINCRBY', KEYS[1], 'rev', 1)
redis.call('HSET', KEYS[1], 'position', ARGV[2])
if ARGV[3] == '' then
  redis.call('HDEL', KEYS[1], 'sweep')
  redis.call('HSET', KEYS[1], 'sweptAt', redis.call('TIME')[1])
else
  redis.call('HSET', KEYS[1], 'sweep', ARGV[3])
end
for i = 4, #ARGV, 2 do redis.call('ZADD', KEYS[2], 'NX', ARGV[i], ARGV[i + 1]) end
return 1
`;

/**
 * Is done with job groups that were held, and counts each of them once, whoever else may be at it. A turn that looked
 * them up before, and slept since, can hold them no more.
 *
 * KEYS: state, held. ARGV per job group: id, 'known' | 'found' | 'lost' | 'missed'. Answers 1 for each that this call was done
 * with, else 0.
 */
export const SETTLE = `
local answer = {}
redis.call('HINCRBY', KEYS[1], 'rev', 1)
for i = 1, #ARGV, 2 do
  local mine, how = redis.call('ZREM', KEYS[2], ARGV[i]), ARGV[i + 1]
  if mine == 1 and (how == 'found' or how == 'lost') then redis.call('HINCRBY', KEYS[1], 'found', 1) end
  if mine == 1 and (how == 'lost' or how == 'missed') then redis.call('HINCRBY', KEYS[1], 'losses', 1) end
  answer[#answer + 1] = mine
end
return answer
`;
