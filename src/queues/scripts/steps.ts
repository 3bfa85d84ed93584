/**
 * Adds a line to what a job tells, unless its last line has the same words, and draws its picture on the board, as BullMQ's
 * `updateProgress` does. Either may be empty. A job that is gone is left so.
 *
 * KEYS: job, its lines, its queue's events, its queue's meta. ARGV: job's id, time, words, lines kept, picture.
 */
export const TELL = `
if redis.call('EXISTS', KEYS[1]) == 0 then return end
local id, words, kept, picture = ARGV[1], ARGV[3], tonumber(ARGV[4]), ARGV[5]
if words ~= '' then
  local last = redis.call('LINDEX', KEYS[2], -1)
  if not last or string.match(last, '^%S+ (.*)$') ~= words then
    if redis.call('RPUSH', KEYS[2], ARGV[2] .. ' ' .. words) > kept then redis.call('LTRIM', KEYS[2], -kept, -1) end
  end
end
if picture ~= '' then
  redis.call('HSET', KEYS[1], 'progress', picture)
  local most = redis.call('HGET', KEYS[4], 'opts.maxLenEvents') or 10000
  redis.call('XADD', KEYS[3], 'MAXLEN', '~', most, '*', 'event', 'progress', 'jobId', id, 'data', picture)
end
`;
