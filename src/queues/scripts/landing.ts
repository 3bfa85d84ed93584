/** The arguments that WRITE, DECIDE and REPLAY share after their own, as `land` wants them. */
export const LANDING = `
local keys = {group = KEYS[1], waiters = KEYS[2], table = KEYS[3], newest = KEYS[4], open = KEYS[5]}
local function task_from(i)
  return {prefix = ARGV[i], waiter = ARGV[i + 1], tracked = ARGV[i + 2], finished_at = ARGV[i + 3],
    job_group = ARGV[i + 4], retention = ARGV[i + 5], ordered = ARGV[i + 6] == '1', replayed = ARGV[i + 7] == '1'}
end

-- Only what is planned waits.
local function note_wait(group, field, before, after, task, waits_for)
  if before == after or (before ~= 'planned' and after ~= 'planned') then return end
  local key, now = held_key(task.prefix, task.tracked), now_ms()
  end_wait(group, field, key, now)
  if after == 'planned' then begin_wait(group, field, key, now, waits_for) end
end
`;
