-- Keeps the contexts of some streams, all or none: KEYS are their hashes, ARGV has the writer, the
-- slice and the context of each. Scripts do not roll back, so everything is checked before
-- anything is written. Gives the key that a higher writer wrote and that writer, or nothing.

-- Writers are unsigned 64-bit numbers, more than a number of Lua holds; they have no leading zeros.
local function less(a, b)
  if #a ~= #b then return #a < #b end
  return a < b
end

local writes = {}
for at, key in ipairs(KEYS) do
  local writer, slice = ARGV[3 * at - 2], ARGV[3 * at - 1]
  local kept = redis.call('HMGET', key, 'writer', 'slice')
  if kept[1] and less(writer, kept[1]) then return {key, kept[1]} end
  if not (kept[1] == writer and tonumber(kept[2]) >= tonumber(slice)) then
    writes[#writes + 1] = at
  end
end
for _, at in ipairs(writes) do
  redis.call('HSET', KEYS[at], 'writer', ARGV[3 * at - 2], 'slice', ARGV[3 * at - 1],
    'context', ARGV[3 * at])
end
return {}
