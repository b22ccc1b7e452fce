"""One torch thread: on shared cores, several wait for each other and slow everything."""

import torch

torch.set_num_threads(1)
