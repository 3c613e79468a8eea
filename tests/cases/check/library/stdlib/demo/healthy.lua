return capability { needs = { "demo" }, holds = function(state) return state.demo.quorum.held, "no quorum" end }
