import { JOURNAL } from "./journal.ts";
import { SHARED } from "./shared.ts";
import { LANDING } from "./landing.ts";
import { WAITS } from "./waits.ts";

/**
 * Opens a task that has ended once more, by a plan of its own: only if the record still reads as it was shown, only if
 * that has ended, and only if the plan's target is registered. A replay by force that has a name is done once in a
 * record's life, whatever it reads.
 *
 * KEYS: group, waiters, table, newest, open, targets. ARGV: field, json, shownJson, planJson, target, rule, name of the
 * replay or '', the outcome of a replay by force, landing...
 * Answers: ok ... | done at reason | changed | target.
 */
export const REPLAY = `${SHARED}${WAITS}${JOURNAL}${LANDING}
local field, json = ARGV[1], ARGV[2]
if redis.call('HEXISTS', KEYS[6], ARGV[5]) == 0 then return {'target'} end
local current = redis.call('HGET', keys.group, field)
if ARGV[7] ~= '' and current then
  for _, one in ipairs(cjson.decode(current).decisions or {}) do
    if one.outcome == ARGV[8] and (one.key or one.reason) == ARGV[7] then
      return {'done', string.format('%.0f', one.at), one.reason}
    end
  end
end
if current ~= ARGV[3] then return {'changed'} end
local before = state_of(current)
if before == 'planned' or is_busy(before) then return {'changed'} end
redis.call('HSET', keys.group, field, json, 'plan:' .. field, ARGV[4], 'holder:' .. field, '')
local after, task = state_of(json), task_from(9)
note_wait(keys.group, field, before, after, task, 'queue')
note_change(task.prefix, keys.group, before, after, task)
list_by_name(task.prefix, keys.group, task.job_group, ':target:' .. ARGV[5], task.retention)
list_by_name(task.prefix, keys.group, task.job_group, ':rule:' .. ARGV[6], task.retention)
local wake_group, wake_table = land(keys, field, before, after, task)
return {'ok', wake_group, wake_table}
`;
