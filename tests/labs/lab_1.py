"""A solution of Lab 1: each block stands in for the cell with its tag."""


# %% t1
def standardise(train, *others):
    mean = train.mean(dim=0)
    scale = train.std(dim=0, correction=0)
    scale = torch.where(scale == 0, 1.0, scale)
    return tuple((table - mean) / scale for table in (train, *others))


# %% t2
def nearest(train, targets, queries, k):
    squares = ((queries[:, None] - train) ** 2).sum(dim=-1)  # (M, N)
    chosen = squares.topk(k, largest=False).indices  # (M, k)
    return targets[chosen].mean(dim=1)


# %% t3
def design(x):
    return torch.cat([torch.ones_like(x[:, :1]), x, x**2], dim=1)


# %% t4
def loss(weights, inputs, targets):
    return ((inputs @ weights - targets.reshape(-1, 1)) ** 2).mean()


# %% t5
def gradient(weights, inputs, targets):
    error = inputs @ weights - targets.reshape(-1, 1)
    return 2 * inputs.T @ error / len(inputs)


# %% t6
def descend(function, start, rate, steps):
    x = start.detach().clone().requires_grad_()
    values = []
    for _ in range(steps):
        value = function(x)
        values.append(value.item())
        (slope,) = torch.autograd.grad(value, x)
        with torch.no_grad():
            x -= rate * slope
    return x.detach(), values


# %% t7
def train_on_batches(weights, batches, rate, epochs):
    weights = weights.clone().requires_grad_()
    for _ in range(epochs):
        for inputs, targets in batches:
            weights.grad = None
            error = inputs @ weights - targets[:, None]
            value = (error**2).mean()
            value.backward()
            with torch.no_grad():
                weights -= rate * weights.grad
    return weights.detach()


# %% t8
scaled = design(standardise(features)[0])
weights, _ = descend(
    lambda w: loss(w, scaled, targets), torch.zeros(scaled.shape[1], 1), 0.05, 2000
)


def predict(raw):
    return design(standardise(features, raw)[1]) @ weights
