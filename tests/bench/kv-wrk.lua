-- SPDX-License-Identifier: Apache-2.0
-- Posts the bodies of a file, a line each, in turn: wrk … -s kv-wrk.lua URL -- FILE
local requests, at = {}, 0

function init(arguments)
   local headers = { ["Grpc-Timeout"] = "5000m" }
   for body in io.lines(arguments[1]) do
      requests[#requests + 1] = wrk.format("POST", "/v3/kv/txn", headers, body)
   end
end

function request()
   at = at % #requests + 1
   return requests[at]
end

-- RATE ERRORS
function done(summary)
   local errors = summary.errors
   print("rate", summary.requests / summary.duration * 1e6,
         errors.connect + errors.read + errors.write + errors.status + errors.timeout)
end
