import { SHARED } from "./shared.ts";

/**
 * Glances at the oldest open tasks of each queue, and at those that are active: how each stands, what it waits for, when its
 * job group finished.
 *
 * KEYS: open. ARGV: prefix, how many to go through, how many of each queue to read. Answers: the queues of which some
 * were not read, with spaces between them, then lines: state, cause, since, finishedAt, priority, the task as it is tracked.
 */
export const OPEN_GLANCE = `${SHARED}
local prefix, most, each = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3])
local queues, cut, answer = {}, {}, {''}
for _, tracked in ipairs(redis.call('ZRANGE', KEYS[1], 0, most - 1)) do
  local queue, id, job_group, field = string.match(tracked, '^([^\\t]+)\\t([^\\t]+)\\t([^\\t]+)\\t(.+)$')
  local of = queues[queue]
  if not of then
    of = { read = 0, parked = 0, active = {} }
    for _, one in ipairs(redis.call('LRANGE', prefix .. ':' .. queue .. ':active', 0, -1)) do of.active[one] = true end
    queues[queue] = of
  end
  -- Many parked ones must not hide those that wait.
  if (of.read < each and of.parked < 5 * each) or of.active[id] then
    local h = redis.call('HMGET', prefix .. ':group:' .. job_group, field, 'plan:' .. field, 'wait:' .. field)
    local state = state_of(h[1]) or ''
    if state == 'parked' then of.parked = of.parked + 1 else of.read = of.read + 1 end
    local cause, since = string.match(h[3] or '', '^(%l+) (%d+)')
    answer[#answer + 1] = table.concat({ state, cause or '', since or '0',
      string.match(h[2] or '', '"finishedAt":(%d+)') or '0', string.match(h[2] or '', '"priority":(%d+)') or '0', tracked }, '\\t')
  elseif not of.cut then
    of.cut = true
    cut[#cut + 1] = queue
  end
end
answer[1] = table.concat(cut, ' ')
return answer
`;
