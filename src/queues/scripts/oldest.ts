import { SHARED } from "./shared.ts";

/**
 * Finds the oldest open task of each queue, parked ones left out, among so many from a place on.
 *
 * KEYS: open. ARGV: prefix, from, most, queues... Answers: 1 when there are no more behind them, else 0; then queue, age
 * in ms, queue, age in ms, ...
 */
export const OLDEST = `${SHARED}
local prefix, first, most, page = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3]), 500
local wanted, missing, now, answer = {}, 0, now_us(), {'0'}
for i = 4, #ARGV do
  if not wanted[ARGV[i]] then wanted[ARGV[i]], missing = true, missing + 1 end
end
for from = first, first + most - 1, page do
  local found = redis.call('ZRANGE', KEYS[1], from, from + page - 1, 'WITHSCORES')
  for i = 1, #found, 2 do
    local queue, id = string.match(found[i], '^([^\\t]+)\\t([^\\t]+)\\t')
    if wanted[queue] and redis.call('EXISTS', prefix .. ':parked:' .. id) == 0 then
      wanted[queue], missing = nil, missing - 1
      answer[#answer + 1] = queue
      answer[#answer + 1] = string.format('%.0f', math.max(0, (now - tonumber(found[i + 1])) / 1000))
    end
  end
  if #found < 2 * page then answer[1] = '1' end
  if missing == 0 or #found < 2 * page then break end
end
return answer
`;
