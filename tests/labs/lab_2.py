"""A solution of Lab 2: each block stands in for the cell with its tag."""


# %% t1
class Classifier(nn.Module):
    def __init__(self, *widths, dropout=0.0):
        super().__init__()
        pairs = zip(widths[:-1], widths[1:], strict=True)
        self.layers = nn.ModuleList(nn.Linear(n_in, n_out) for n_in, n_out in pairs)
        self.dropout = nn.Dropout(dropout)

    def forward(self, images):
        x = images.flatten(1)
        for layer in self.layers[:-1]:
            x = self.dropout(layer(x).relu())
        return self.layers[-1](x)


# %% t2
def cross_entropy(logits, targets):
    right = logits.gather(1, targets[:, None])[:, 0]
    return (logits.logsumexp(dim=1) - right).mean()


# %% t3
def prepare(images, labels, seed):
    generator = torch.Generator().manual_seed(seed)
    order = torch.randperm(len(images), generator=generator)
    cut = len(images) * 4 // 5
    train, valid = order[:cut], order[cut:]
    mean, std = images[train].mean(), images[train].std()
    scaled = (images - mean) / std
    return tuple(TensorDataset(scaled[i], labels[i]) for i in (train, valid))


# %% t4
def train_epoch(model, batches, criterion, optimizer):
    model.train()
    total, count = 0.0, 0
    for inputs, targets in batches:
        loss = criterion(model(inputs), targets)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        total += loss.item() * len(targets)
        count += len(targets)
    return total / count


# %% t5
@torch.no_grad()
def evaluate(model, batches):
    was_training = model.training
    model.eval()
    right = count = 0
    for inputs, targets in batches:
        right += (model(inputs).argmax(dim=1) == targets).sum().item()
        count += len(targets)
    model.train(was_training)
    return right / count


# %% t6
class Momentum:
    def __init__(self, params, rate, momentum):
        self.params = list(params)
        self.rate, self.momentum = rate, momentum
        self.velocity = [torch.zeros_like(p) for p in self.params]

    def zero_grad(self):
        for p in self.params:
            p.grad = None

    @torch.no_grad()
    def step(self):
        for p, v in zip(self.params, self.velocity, strict=True):
            if p.grad is not None:
                v.mul_(self.momentum).add_(p.grad)
                p -= self.rate * v


# %% t7
def save(path, model, optimizer):
    state = {"model": model.state_dict(), "optimizer": optimizer.state_dict()}
    torch.save(state, path)


def load(path, model, optimizer):
    state = torch.load(path, weights_only=True)
    model.load_state_dict(state["model"])
    optimizer.load_state_dict(state["optimizer"])


checkpoint = (save, load)

# %% t8
torch.manual_seed(0)
train_set, valid_set = prepare(images, labels, seed=0)
order = torch.Generator().manual_seed(0)
train_loader = DataLoader(train_set, batch_size=64, shuffle=True, generator=order)
model = Classifier(784, 128, 10, dropout=0.2)
optimizer = Momentum(model.parameters(), 0.05, 0.9)
for _ in range(8):
    train_epoch(model, train_loader, cross_entropy, optimizer)
model.eval()
indices = torch.Generator().manual_seed(0)
chosen = torch.randperm(len(images), generator=indices)[: len(images) * 4 // 5]
mean, std = images[chosen].mean(), images[chosen].std()


@torch.no_grad()
def predict(images):
    return model((images - mean) / std).argmax(dim=1)
