/**
 * Adds an entry to the trail, and to that of its job group under the same id.
 *
 * KEYS: trail, the job group's trail. ARGV: entry, entries kept, is there a job group (0 or 1), its entries kept, its
 * retention in ms. Answers: the entry's id.
 */
export const AUDIT = `
local id = redis.call('XADD', KEYS[1], 'MAXLEN', '~', ARGV[2], '*', 'entry', ARGV[1])
if ARGV[3] == '1' then
  redis.call('XADD', KEYS[2], 'MAXLEN', ARGV[4], id, 'entry', ARGV[1])
  redis.call('PEXPIRE', KEYS[2], ARGV[5])
end
return id
`;
