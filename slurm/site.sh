# What differs from cluster to cluster.  Every batch script reads this first.

# The modules that saemill was built with:
# module load gcc openmpi hdf5

# What starts the ranks of a task: mpirun, or srun (srun --mpi=pmix) where Slurm and Open MPI
# were built with the same PMIx.
start=mpirun
