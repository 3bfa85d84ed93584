/**
 * Adds a line to what a job tells, unless its last line has the same words.
 *
 * KEYS: job, its lines. ARGV: time, words, lines kept. Answers 1 when it was added.
 */
export const TELL = `
if redis.call('EXISTS', KEYS[1]) == 0 then return 0 end
local last = redis.call('LINDEX', KEYS[2], -1)
if last and string.match(last, '^%S+ (.*)$') == ARGV[2] then return 0 end
redis.call('RPUSH', KEYS[2], ARGV[1] .. ' ' .. ARGV[2])
redis.call('LTRIM', KEYS[2], -tonumber(ARGV[3]), -1)
return 1
`;
