import { SHARED } from "./shared.ts";

/**
 * Glances at some of the open tasks, the oldest first: how each stands, what it waits for, when its job group finished.
 *
 * KEYS: open. ARGV: prefix, from, to. Answers lines: state, cause, since, finishedAt, priority, then the task as it is tracked.
 */
export const OPEN_GLANCE = `${SHARED}
local answer = {}
for _, tracked in ipairs(redis.call('ZRANGE', KEYS[1], ARGV[2], ARGV[3])) do
  local job_group, field = string.match(tracked, '^[^\\t]+\\t[^\\t]+\\t([^\\t]+)\\t(.+)$')
  local h = redis.call('HMGET', ARGV[1] .. ':group:' .. job_group, field, 'plan:' .. field, 'wait:' .. field)
  local cause, since = string.match(h[3] or '', '^(%l+) (%d+)')
  answer[#answer + 1] = table.concat({ state_of(h[1]) or '', cause or '', since or '0',
    string.match(h[2] or '', '"finishedAt":(%d+)') or '0', string.match(h[2] or '', '"priority":(%d+)') or '0', tracked }, '\\t')
end
return answer
`;
